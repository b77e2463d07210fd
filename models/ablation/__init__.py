"""Small variants of network, data and loss, trained and scored in one table."""
