"""H.264 and AAC renditions, thumbnails, storyboards and waveforms, made by ffmpeg."""
