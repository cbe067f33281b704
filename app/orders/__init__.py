"""Transfer orders: what was approved, on its way through the ERP to its receipt."""
