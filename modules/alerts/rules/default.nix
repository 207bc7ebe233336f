# The alert rules of soloscope, by name: what
# `services.soloscope.alerts.rules.<name>` is before a host changes it. Pure, builtins
# only.
#
#   { soloscope } -> { <name> = rule; }
#
# Each file has the rules of one subject, as functions of the rule in force: a host may
# have changed its threshold or its `for`, and the query and the words must follow.
#
#   { soloscope } -> { <name> = rule: { … }; }
#     rule.threshold  as a query has it: "0.05"
#     rule.limit      the same for people: "0.05"
#     rule.percent    the same as a share: "5 %"
#     rule.for        "5 minutes"
#
# What every rule keeps to:
# - It is silent on a fresh host, during a restart and a deploy, and for an app with ten
#   requests a day. So a share has a least number of failures beside it.
# - Its series have a label `app` when it is about one app, and no label that changes.
# - `inhibits` names the alerts that say nothing new while this one fires.
# - A rule about something that the host does not have is there and not enabled.
{ soloscope }:
let
  inherit (import ../../numbers.nix) decimal percent duration;

  inForce =
    name:
    let
      rule = soloscope.alerts.rules.${name};
    in
    {
      threshold = builtins.toJSON rule.threshold;
      limit = decimal rule.threshold;
      percent = percent rule.threshold;
      for = if rule.for == null then "" else duration rule.for;
    };

  subject = file: builtins.mapAttrs (name: make: make (inForce name)) (import file { inherit soloscope; });
in
subject ./requests.nix
// subject ./availability.nix
// subject ./areas.nix
// subject ./counts.nix
// subject ./logs.nix
// subject ./storage.nix
// subject ./host.nix
// subject ./monitoring.nix
// subject ./timers.nix
