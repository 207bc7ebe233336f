# Secrets that are known by their format: a prefix and the characters after it.
# Pure, builtins only.
#
#   { any, table }
#     any    filters, one of which matches each line with such a secret
#     table  list of { expression }, which match a secret and capture it
#
# The formats are those of Gitleaks' default configuration (as of 2026-07-22) that
# have a distinct prefix, and a few that it lacks (Resend, xAI, Groq, Supabase,
# Tailscale, K3s). Minimum lengths are shorter than there, to match truncated keys as
# well.
let
  inherit (import ./stage.nix) anyOf patterns texts;
  boundary = builtins.fromJSON ''"\ufdd0"'';
  literal = builtins.replaceStrings [ "." ] [ "\\." ];

  # Behind a backslash the first letter may look like an escape (redact.nix sets a
  # boundary behind those): \\rk_live_… is a key as well.
  behindEscape = builtins.match "([bfnrt])(.*)";
  begin =
    text:
    let
      parts = behindEscape text;
    in
    literal (
      if parts == null then
        text
      else
        "${builtins.head parts}\\x{FDD0}?${builtins.elemAt parts 1}"
    );
  # The same as texts.
  beginTexts =
    text:
    let
      parts = behindEscape text;
    in
    [ text ] ++ (if parts == null then [ ] else [ "${boundary}${builtins.elemAt parts 1}" ]);

  # The characters after the prefix.
  letters = n: "[A-Za-z0-9]{${toString n},}";
  words = n: "[A-Za-z0-9_-]{${toString n},}";
  more = n: "[A-Za-z0-9_+/=.-]{${toString n},}";
  capitals = n: "[0-9A-Z]{${toString n},}";
  hex = n: "[0-9a-fA-F]{${toString n},}";

  each = prefix: suffix: map (middle: prefix + middle + suffix);

  # Prefixes that hardly any other line contains.
  rare = [
    {
      begins = [
        "ABSK"
        "AGE-SECRET-KEY-"
        "CLOJARS_"
        "FLWSECK-"
        "FLWSECK_TEST-"
        "GOCSPX-"
        "HRKU-"
        "SHA-TOKEN-"
        "api_org_"
        "bedrock-api-key-"
        "fio-u-"
        "fo1_"
        "fm1a_"
        "fm1r_"
        "fm2_"
        "figd_"
        "ghp_"
        "github_pat_"
        "glc_"
        "glsa_"
        "gsk_"
        "ico-"
        "ntn_"
        "ops_eyJ"
        "p8e-"
        "pk-lf-"
        "pnu_"
        "pplx-"
        "pul-"
        "pypi-"
        "r8_"
        "rdme_"
        "rubygems_"
        "s-s4t2ud-"
        "s-s4t2af-"
        "sbp_"
        "sgp_"
        "sha256~"
        "sntrys_"
        "sntryu_"
        "tfp_"
        "tk-us-"
        "tskey-"
        "vercel_blob_rw_"
        "whsec_"
        "xai-"
        "xapp-"
        "xkeysib-"
        "xsmtpsib-"
        "ya29."
      ]
      ++ each "NR" "-" [ "AK" "II" "JS" "AL" "RA" ]
      ++ each "PMAK" "-" [ "" ]
      ++ each "dckr_" "_" [ "pat" "oat" ]
      ++ each "do" "_v1_" [ "o" "p" "r" ]
      ++ each "dp." "." [ "pt" "st" "ct" "sa" "scim" "audit" ]
      ++ each "duffel_" "_" [ "live" "test" ]
      ++ each "gh" "_" [ "o" "u" "s" "r" ]
      ++ each "gl" "-" [ "pat" "cbt" "dt" "ffct" "ft" "imt" "agent" "oas" "ptt" "rt" "soat" "rtr" ]
      ++ each "hv" "." [ "s" "b" "r" ]
      ++ each "lin_" "_" [ "api" "oauth" ]
      ++ each "nf" "_" [ "p" "c" "o" "u" ]
      ++ each "pscale_" "_" [ "tkn" "oauth" "pw" ]
      ++ each "rk_" "_" [ "live" "test" "prod" ]
      ++ each "shippo_" "_" [ "live" "test" ]
      ++ each "shp" "_" [ "at" "ca" "pa" "ss" ]
      ++ each "sk_" "_" [ "live" "test" "prod" ]
      ++ each "sm_" "at_" [ "a" "p" "s" ]
      ++ each "sq0" "-" [ "atp" "csp" "idp" ]
      ++ each "xox" "-" [ "a" "b" "e" "o" "p" "r" "s" ];
      ends = more 16;
    }
    {
      # task-42 is no key: a text alone would find it too often.
      begins = [ "sk-" ];
      any = patterns [ "sk-[A-Za-z0-9_*-]{12}" ];
      ends = "[A-Za-z0-9_*-]{12,}";
    }
    {
      # no "_": hf_hub_download_with_cache
      begins = [ "hf_" "npm_" "EZAK" "EZTK" "AKCp" "LTAI" "4b1d" "IGQV" ];
      ends = letters 16;
    }
    {
      begins = [ "AKIA" "ASIA" "ABIA" "ACCA" ];
      ends = capitals 12;
    }
    {
      begins = [ "AIza" ];
      ends = words 20;
    }
    {
      begins = [ "dapi" ];
      ends = hex 24;
    }
    {
      begins = [ "GR1348941" "AQVN" "xoxe.xox" "dnkey-" ];
      ends = words 12;
    }
    {
      begins = [ "dt0" ];
      ends = "[a-z]\\d\\d\\.${more 16}";
    }
    {
      begins = [ "SG." ];
      ends = "${words 8}\\.${words 8}";
    }
    {
      begins = [ "eyJ" ];
      ends = "[\\w-]{6,}\\.[\\w-]{4,}(?:\\.[\\w-]+)?";
    }
    {
      begins = [ "A3-" ];
      ends = "[A-Z0-9]{6}-[A-Z0-9-]{12,}";
    }
    {
      begins = each "v" "." [ "1.local" "2.local" "3.local" "4.local" "1.public" "2.public" "3.public" "4.public" ];
      ends = words 8;
    }
  ];

  # Prefixes that many lines contain, and secrets of which only a part is masked.
  common = {
    any =
      texts [
        "${boundary}e_"
        "AC_"
        "EAA"
        "v1.0-"
        ":AA"
        "${boundary}ot"
        "hooks.slack"
        "/api/webhooks/"
        "webhook.office"
        "atlasv1"
        "_mmk"
        "::server:"
        "::node:"
      ]
      ++ patterns [
        "re_[A-Za-z0-9]{6}"
        "SK[0-9a-f]{32}"
        "key-[0-9a-f]{32}"
        "API-[0-9A-Z]{20}"
        "secret_[A-Za-z0-9]{40}"
        "pat[A-Za-z0-9]{14}\\."
        "bot\\d{5}"
        "-us\\d"
        "pk\\.[a-z0-9]{60}"
      ];
    expression = builtins.concatStringsSep "|" [
      # A digit distinguishes Resend's keys from function names.
      "\\b(re_[A-Za-z0-9]{6,}_[A-Za-z]{0,16}[0-9][A-Za-z0-9]{8,})"
      "\\br\\x{FDD0}(e_[A-Za-z0-9]{6,}_[A-Za-z]{0,16}[0-9][A-Za-z0-9]{8,})"
      "\\b((?:SK|AC_|key-|pubkey-)[0-9a-f]{32})"
      "\\b(API-${capitals 20})"
      "\\b(EAA[A-Za-z0-9_-]{16,})"
      "\\b(secret_${letters 40})"
      "\\b(v1\\.0-[0-9a-f]{24}-${hex 40})"
      "\\b(pat[A-Za-z0-9]{14}\\.${hex 32})"
      # Telegram bot tokens, in their URL and alone
      "\\b(\\d{6,12}:AA${words 24})"
      "\\bb?\\x{FDD0}?ot\\d{5,}:([\\w-]{20,})"
      "hooks\\.slack\\.com/(?:services|workflows|triggers)/([\\w/+]+)"
      "\\bdiscord(?:app)?\\.com/api/webhooks/\\d+/([\\w-]{20,})"
      "\\.webhook\\.office\\.com/webhookb2/([\\w@/-]{40,})"
      "\\b[A-Za-z0-9]{14}\\.atlasv1\\.([\\w=-]{20,})"
      "\\b([A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk)\\b"
      "\\b([a-f0-9]{32}-us\\d{1,2})\\b"
      # K3s
      "\\b(K10[A-Za-z0-9]{20,}::(?:server|node):[\\w.-]+)"
      "\\b(pk\\.[a-z0-9]{60}\\.[a-z0-9]{22})\\b"
    ];
  };
in
{
  any =
    builtins.concatMap (shape: shape.any or (texts (builtins.concatMap beginTexts shape.begins))) rare
    ++ common.any;
  table = [
    { expression = "\\b(${anyOf (map (shape: "${anyOf (map begin shape.begins)}${shape.ends}") rare)})"; }
    { inherit (common) expression; }
  ];
}
