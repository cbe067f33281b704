"""Help, glossary and tour."""
