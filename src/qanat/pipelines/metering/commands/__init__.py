"""The commands of `metering`, one file each."""
