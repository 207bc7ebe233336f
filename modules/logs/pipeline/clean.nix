# Removes terminal codes, invalid bytes, and text beyond Loki's line limit.
# Pure, builtins only.
#
#   early  before joining, so without a `match`
#   late   after it
#   cut    truncates long lines, as the last change of the line
let
  inherit (import ./stage.nix)
    compute
    remove
    rewrite
    when
    ;

  # Loki accepts 256 KiB. Longer lines are truncated here, where it can be marked
  # (Loki 3.4 adds no marker).
  maxBytes = 256000;
in
{
  # Each begins with a fixed byte, which is searched for quickly.
  early = [
    # Colours and other codes for terminals, in seven and in eight bits.
    (remove ''(\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[@-Z\\^_=>78]))'')
    (remove ''(\x{9b}[0-9;:?]*[ -/]*[@-~])'')
    # Windows line ends (CR), and the byte order mark.
    (remove ''(\r+)$'')
    (remove ''^(\x{FEFF})'')
  ];

  late = [
    # The same codes inside JSON.
    (when ''|~ `\\u001[bB]`'' [ (remove ''(\\u001[bB]\[[0-9;:?]*[@-~])'') ])
    # Bytes that are not UTF-8 become the replacement character.
    (when ''|~ `[\x{FFFD}\x{FFFE}]`'' (
      rewrite ''{{ regexReplaceAll "[\\x{FFFD}\\x{FFFE}]" .Entry "�" }}''
    ))
  ];

  cut = [
    (compute "x_cut" (
      "{{ if gt (len .Entry) ${toString maxBytes} }}"
      + ''{{ regexReplaceAll "[\\x{FFFD}\\x{FFFE}]+$" (trunc ${toString maxBytes} .Entry) "" }}''
      + " …[cut: {{ len .Entry }} bytes]{{ end }}"
    ))
    # Without x_cut the line stays unchanged.
    { output.source = "x_cut"; }
  ];
}
