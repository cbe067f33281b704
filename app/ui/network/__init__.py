"""The network: the map, sites, SKUs and their stock."""
