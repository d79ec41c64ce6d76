"""mediaflow: a self-hosted media service that turns untrusted uploads into streams that any player can play."""
