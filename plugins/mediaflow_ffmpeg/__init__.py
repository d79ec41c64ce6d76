"""H.264 and AAC renditions, thumbnails and storyboards, made by ffmpeg."""
