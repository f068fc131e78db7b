"""What holds for every test: how hypothesis judges, and that an interruption is heard."""

import signal

from hypothesis import HealthCheck, settings

# What comes out, not how long it took: machines that run tests do much else beside.
settings.register_profile("portico", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("portico")

# A shell lets what it starts with `&` ignore SIGINT, and Python keeps to that: self-interruption would hang.
signal.signal(signal.SIGINT, signal.default_int_handler)
