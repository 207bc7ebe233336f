# The same with the other engine: not a label, a level or a line differs.
args: import ./lib/stack.nix args "stack-alloy" "alloy"
