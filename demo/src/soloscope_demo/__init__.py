"""A sample app and the whole soloscope stack as plain processes on 127.0.0.1."""
