"""Use cases, without any framework: each module is one thing that the service does.

The rooms stand on one another in this order (setup.cfg has it as a contract): ports and paging, text, access and
requests and catalogue, work, uploads and stages, assets, delivery and upkeep.
"""
