"""Released policy documents, one TOML file each."""
