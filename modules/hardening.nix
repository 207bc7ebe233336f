# The sandboxing of all soloscope units. A unit adds the exceptions it needs, with
# the reason. `systemd-analyze security` gives units made with it 1.5 or less,
# which the NixOS check `stack` asserts.
{
  DynamicUser = true;
  UMask = "0077";

  # No privileges, now or later
  CapabilityBoundingSet = "";
  AmbientCapabilities = "";
  NoNewPrivileges = true;
  PrivateUsers = true;
  RestrictSUIDSGID = true;
  LockPersonality = true;
  MemoryDenyWriteExecute = true;
  RestrictNamespaces = true;
  RestrictRealtime = true;
  SystemCallArchitectures = "native";
  SystemCallFilter = [
    "@system-service"
    "~@privileged"
    "~@resources"
  ];
  # Alloy tries bpf(2) at its start, and does without.
  SystemCallErrorNumber = "EPERM";

  # No access to the host beyond its own files
  ProtectSystem = "strict";
  ProtectHome = true;
  PrivateTmp = true;
  PrivateDevices = true;
  DevicePolicy = "closed";
  PrivateIPC = true;
  RemoveIPC = true;
  ProtectClock = true;
  ProtectControlGroups = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  ProtectProc = "invisible";
  ProcSubset = "pid";
}
