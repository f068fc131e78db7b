"""The static site: folders and files to answers, and nothing outside of them.

HttpWebServer                                 web: for a program, with a server of its own
  Site(exchange)                              site: the handler
    guard                                     is this name ours?
    Mounts -> Root -> door                    mounts, root: a path to an open file; the one way to the disk
    Resource                                  resource: a file that is remembered, and the answers made of it
      Compressor                              compression: packed off the loop, kept in a bounded memory
    answer_folder -> listing, shelf, readme   folder: a listing as HTML, JSON or text
    missing                                   404, and what might have been meant
"""
