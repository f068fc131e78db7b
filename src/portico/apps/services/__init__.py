"""The ready services: a short file each, whose function makes the service.

greet(text)      StreamService                     a text, and goodbye
reply(text)      StreamService                     shows each message in the log, and answers it
  LineReader -> messages                           lines, or what came without an end
echo()           StreamService, DatagramService    what came, as it came
time(tz)         StreamService, DatagramService    the time, in the form that is asked for
  parse_zone                                       zones: the name of a time zone, or an offset
  read_question -> compile_format -> answer        question: text in any charset; strftime: an allow-list
temperature(to)  DatagramService                   Celsius and Fahrenheit
  read_question -> convert -> answer

Each is served by its command, `portico greet`, and from a program by `greet("hello").start(9000)`.
"""

from portico.apps.services.echo import echo
from portico.apps.services.greet import greet
from portico.apps.services.reply import reply
from portico.apps.services.temperature import temperature
from portico.apps.services.time import time
from portico.apps.services.zones import parse_zone

__all__ = ["echo", "greet", "parse_zone", "reply", "temperature", "time"]
