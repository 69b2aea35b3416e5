"""What a command would do on a device that is not there, by compilation alone; nothing here is measured."""
