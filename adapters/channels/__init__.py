"""Channels: whoever hands us requests, one adapter per kind of channel."""
