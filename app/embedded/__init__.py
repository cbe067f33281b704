"""A real PostgreSQL and a real Valkey from wheels, for machines where nobody has set up either.

Both keep their data under the data directory, listen on Unix sockets only, outlive
a killed service, are shared by every Evenkeel process on the directory, and stop
with the last of them.
"""
