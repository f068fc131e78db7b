"""Processes: a supervisor that holds the sockets, and workers that accept on them.

    supervisor                                worker (the same command line, started again)
      Supervisor.run
        fleet.decide -> Start
          process.spawn   ------------------>   WorkerLink.from_environment
                                                  (load the application, start its lifespan)
                                                link.sockets, HttpServer.open
        _hear <- channel  <------------------   link.ready, link.beat_with
        fleet.decide -> Send(SIGTERM)  ----->   link.watch -> drain
        _hear <- channel  <------------------   link.draining, link.finished
        _reap
      on_event(events.Event)                  for the terminal and the log
      notify.Notifier                         for systemd

Beside them: `identity` (another user), `pid_file`, `watch` (changed files). POSIX only; nothing here is imported where
one process serves alone, save `notify`, `identity` and `pid_file`.
"""
