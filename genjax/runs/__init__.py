"""One run: its programs, its data on the device, its checkpoints, logs, folder and pictures, and the host's loop."""
