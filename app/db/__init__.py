"""The database: PostgreSQL only, through SQLModel for rows and SQL functions where one statement must do it all."""
