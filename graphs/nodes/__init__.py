"""The nodes: each takes the state and the world, and returns what changes. Nodes never call nodes.

Their names are a persistent schema: an approval that is pending in a node is lost
when the node is renamed, so `names` writes them down and a test holds them.
"""
