"""H.264 and AAC renditions and thumbnails, made by ffmpeg."""
