"""The command line: words in, a running server or one line of complaint out.

main.main                             portico ...
  group.CommandGroup                  finds the command and loads its module
    serve.command                     portico serve
      options.options_for             options from the rows of settings/
      help.page                       --help
main.main_module                      python -m portico
  drop_in.command                     the flags of python -m http.server

serve.run                             what both come to
  shares.parse_shares, open_roots     PATH words -> roots
  places.open_places                  --port, --bind, --lan -> listening sockets
  session.Session.run                 the event loop, from the first socket to the line of totals
    screen.Screen                     bytes to the terminal or the pipe
    banner, survey, qr                what is said at the start
    keys.Keyboard                     single keys, and a terminal that is always given back
"""
