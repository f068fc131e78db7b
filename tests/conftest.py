"""Hypothesis judges what comes out, not how long it took: machines that run tests do much else beside."""

from hypothesis import HealthCheck, settings

settings.register_profile("portico", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("portico")
