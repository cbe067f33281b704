"""The service: the only layer that touches the world."""

import os

# LangGraph reads this once, when its serializer is first imported. Without it a row in the
# checkpoint tables could make the service run code; docs/decisions/0005.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
