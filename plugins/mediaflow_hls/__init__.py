"""HLS playlists (RFC 8216) over the packaged segments."""
