"""The pages: what people see of the service in a browser. They read here; whatever changes something goes through `/v1`.

Every page is made of fragments that are also served alone, holds nothing between two
requests, and works behind any number of replicas.
"""
