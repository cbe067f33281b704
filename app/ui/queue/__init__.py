"""The queue of approvals, and the drawer of a request."""
