"""The chat: one log on disk, and everything else a way to write it or to read it.

    Session.take(text)                         session: one client, whatever it speaks; frames: what is said
      Store.write(log.append)                  store: one thread, commits in groups; log, rooms, people, search: the SQL
        Hub.publish                            hub: what was committed, to whoever is there and may read it
          Reader.push -> Wire.send             the next event, where there is room
          Reader.pump -> log.read_for          everything else: who is new, slow, or was away reads the log
    open_house                                 house: puts it together

`events` has the vocabulary of the log, `schema` its tables.
"""
