"""Stock from outside: network folders on disk or uploaded, and what is made of them."""
