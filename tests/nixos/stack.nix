# The whole path once, with the default shipper.
args: import ./lib/stack.nix args "stack" "promtail"
