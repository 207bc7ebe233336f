# Secrets that are known by their shape: what they begin with and how they go on.
# Pure, builtins only.
#
# The shapes are those of Gitleaks' default configuration (as of 2026-07-22) that
# have a beginning of their own, and a few that it lacks (Resend, xAI, Groq,
# Supabase, Tailscale, Cloudflare Turnstile). Lengths are shorter than there: a key that a
# program cut short is one, too.
#
#   shapes.gate        a regular expression: one of the beginnings
#   shapes.expression  matches a secret and captures it
let
  anyOf = list: "(?:${builtins.concatStringsSep "|" list})";

  # Behind a backslash the first letter may look like an escape (redact.nix sets
  # a boundary behind those): \rk_live_… is a key, too.
  begin =
    text:
    let
      parts = builtins.match "([bfnrt])(.*)" text;
    in
    if parts == null then
      text
    else
      "${builtins.head parts}\\x{FDD0}?${builtins.elemAt parts 1}";

  # How they go on.
  letters = n: "[A-Za-z0-9]{${toString n},}";
  words = n: "[A-Za-z0-9_-]{${toString n},}";
  dotted = n: "[A-Za-z0-9_=.-]{${toString n},}";
  base64 = n: "[A-Za-z0-9+/]{${toString n},}=*";
  hex = n: "[0-9a-fA-F]{${toString n},}";

  # { begins (regular expressions), ends }: a word begins there.
  table = [
    {
      begins = [
        "sk-(?:proj|svcacct|admin|ant|or|lf)-"
        "pk-lf-"
        "xai-"
        "glpat-"
        "gl(?:cbt|dt|ffct|ft|imt|agent|oas|ptt|rt|soat|rtr)-"
        "GR1348941"
        "xox[a-z]-"
        "xoxe\\.xox[bp]-"
        "xapp-"
        "ya29\\."
        "pypi-"
        "sntrys_"
        "sbp_"
        "vercel_blob_rw_"
        "dnkey-"
        "fio-u-"
        "s-s4t2(?:ud|af)-"
        "hv[sbr]\\."
        "GOCSPX-"
        "AQVN"
        "fo1_"
        "tk-us-"
        "HRKU-"
        "whsec_"
        "PMAK-"
        "NR(?:AK|II|JS|AL|RA)-"
        "tskey-"
        "API-[A-Z0-9]{6}"
        "bedrock-api-key-"
        "figd_"
        "nf[pcou]_"
        "lin_(?:api|oauth)_"
        "sha256~"
        "sq0(?:atp|csp|idp)-"
        "ops_eyJ"
        "A3-[A-Z0-9]{6}-"
        "p8e-"
        "pul-"
        "ico-"
        "sm_[aps]at_"
        "rdme_"
        "rubygems_"
        "shippo_(?:live|test)_"
        "duffel_(?:test|live)_"
        "EZ[AT]K"
        "FLWSECK(?:_TEST)?-"
      ];
      ends = words 12;
    }
    {
      begins = [
        "gh[pousr]_"
        "github_pat_"
        "sk_(?:live|test|prod)_"
        "rk_(?:live|test|prod)_"
        "dckr_(?:pat|oat)_"
        "shp(?:at|ca|pa|ss)_"
        "do[opr]_v1_"
        "glsa_"
        "glc_"
        "gsk_"
        "r8_"
        "pplx-"
        "ntn_"
        "pnu_"
        "sgp_"
        "sntryu_"
        "api_org_"
        "CLOJARS_"
        "xkeysib-"
        "xsmtpsib-"
        "SHA-TOKEN-"
        "AGE-SECRET-KEY-"
        "AKCp[0-9A-Z]"
        "LTAI[0-9]"
        "4b1d[0-9A-Z]"
        "dapi(?:[0-9a-f]{8})"
        "tfp_"
      ];
      ends = "[A-Za-z0-9_+/=-]{16,}";
    }
    {
      begins = [ "sk-" ];
      ends = "[A-Za-z0-9_*-]{12,}";
    }
    {
      begins = [
        "hf_"
        "npm_"
      ];
      ends = letters 16; # no "_": hf_hub_download_with_cache
    }
    {
      begins = [ "re_" ];
      # A digit tells it from the name of a function.
      ends = "[A-Za-z0-9]{6,}_[A-Za-z]{0,16}[0-9][A-Za-z0-9]{8,}";
    }
    {
      begins = [ "pat[A-Za-z0-9]{14}\\." ];
      ends = hex 32;
    }
    {
      begins = [ "A(?:KIA|SIA|BIA|CCA|3T[A-Z0-9])" ];
      ends = "[0-9A-Z]{12,}";
    }
    {
      begins = [ "ABSK" ];
      ends = base64 60;
    }
    {
      begins = [ "AIza" ];
      ends = words 20;
    }
    {
      begins = [
        "EAA"
        "IGQV"
      ];
      ends = letters 16;
    }
    {
      begins = [ "secret_" ];
      ends = letters 40;
    }
    {
      begins = [ "SG\\." ];
      ends = "${words 8}\\.${words 8}";
    }
    {
      begins = [ "(?:pscale_(?:tkn|oauth|pw)_|dp\\.(?:pt|st|ct|sa|scim|audit)\\.|dt0[a-z]\\d\\d\\.)" ];
      ends = dotted 16;
    }
    {
      begins = [ "eyJ" ];
      ends = "[\\w-]{6,}\\.[\\w-]{4,}(?:\\.[\\w-]+)?";
    }
    {
      begins = [ "v[1-4]\\.(?:local|public)\\." ];
      ends = words 8;
    }
    {
      begins = [ "v1\\.0-" ];
      ends = "[0-9a-f]{24}-${hex 40}";
    }
    {
      begins = [ "(?:SK|AC_|key-|pubkey-)" ];
      ends = "[0-9a-f]{32}";
    }
    {
      # Telegram's bots, without the word in front.
      begins = [ "\\d{6,12}:AA" ];
      ends = words 24;
    }
    {
      begins = [ "fm[12][ar]?_" ];
      ends = base64 40;
    }
  ];

  # Where only a part of what was found is secret.
  inside = [
    "hooks\\.slack\\.com/(?:services|workflows|triggers)/([\\w/+]+)"
    "\\bdiscord(?:app)?\\.com/api/webhooks/\\d+/([\\w-]{20,})"
    "\\.webhook\\.office\\.com/webhookb2/([\\w@/-]{40,})"
    "\\bbot\\d{5,}:([\\w-]{20,})"
    "\\b[A-Za-z0-9]{14}\\.atlasv1\\.([\\w=-]{20,})"
    "\\b([A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk)\\b"
    "\\b([a-f0-9]{32}-us\\d{1,2})\\b"
    "\\b(pk\\.[a-z0-9]{60}\\.[a-z0-9]{22})\\b"
  ];
in
rec {
  beginnings = map begin (builtins.concatLists (map (shape: shape.begins) table));
  gate = builtins.concatStringsSep "|" (
    beginnings
    ++ [
      "hooks\\.slack"
      "/webhook"
      "bot\\d"
      "atlasv1"
      "_mmk"
      "-us\\d"
      "pk\\."
    ]
  );
  expression = builtins.concatStringsSep "|" (
    # A part of a longer word is none, nor is one that was masked already.
    inside ++ [ "\\b(${anyOf (map (shape: "${anyOf (map begin shape.begins)}${shape.ends}") table)})" ]
  );
}
