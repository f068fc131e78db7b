"""The operator's pages: /-/health, /-/ready, /metrics, on an address of their own.

open_sockets, open_pages                      listener: beside the public ones, private by default
  admin_handler(source)                       handler
    ServerSource | FleetSource                sources: one process, or all workers together
"""
