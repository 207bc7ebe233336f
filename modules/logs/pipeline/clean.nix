# What no line keeps: terminal codes, broken bytes, and what is beyond the limit of
# Loki. Pure, builtins only.
#
#   early  before joining, so without a `match`
#   late   after it
#   cut    what is too long, as the last change of the line
let
  inherit (import ./stage.nix)
    compute
    remove
    rewrite
    when
    ;

  # Loki takes 256 KiB. What does not fit is cut here, where it can be marked
  # (Loki 3.4 has no text for it).
  maxBytes = 256000;
in
{
  # Each begins with a fixed byte, which is searched for quickly. No more than these:
  # a `replace` costs 15 µs a line also where it finds nothing.
  early = [
    # Colours and other codes for terminals.
    (remove ''(\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-Za-z]|[@-Z\\^_=>78]))'')
    # The end of a line of Windows.
    (remove ''(\r+)$'')
  ];

  late = [
    # The codes in eight bits, and the mark at the beginning of a file of Windows.
    (when ''|~ `\x{9b}`'' [ (remove ''(\x{9b}[0-9;:?]*[ -/]*[@-~])'') ])
    (when ''|~ `^\x{FEFF}`'' [ (remove ''^(\x{FEFF})'') ])
    # The codes inside JSON.
    (when ''|~ `\\u001[bB]`'' [ (remove ''(\\u001[bB]\[[0-9;:?]*[@-~])'') ])
    # Bytes that are not UTF-8 become the character that says so.
    (when ''|~ `[\x{FFFD}\x{FFFE}]`'' (
      rewrite ''{{ regexReplaceAll "[\\x{FFFD}\\x{FFFE}]" .Entry "�" }}''
    ))
  ];

  cut = [
    # First whether the line is long at all, which costs less than a template.
    (when "|~ `(?s)^.{900}`" [
      (compute "x_cut" (
        "{{ if gt (len .Entry) ${toString maxBytes} }}"
        + ''{{ regexReplaceAll "[\\x{FFFD}\\x{FFFE}]+$" (trunc ${toString maxBytes} .Entry) "" }}''
        + " …[cut: {{ len .Entry }} bytes]{{ end }}"
      ))
      # Without x_cut the line stays.
      { output.source = "x_cut"; }
    ])
  ];
}
