"""The parameter server: flat parameters in shards, which their owners hold in windows, or serve to whoever asks."""
