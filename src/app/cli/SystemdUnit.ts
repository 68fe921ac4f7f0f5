/** A unit for systemd, as strict as a network service bears. Pure: the command gathers what is named here. */

export interface Options {
  /** For people, and for the directories that systemd makes. */
  readonly name: string
  readonly description: string
  /** What is run, each argument by itself, absolute paths. */
  readonly command: ReadonlyArray<string>
  /** What has it reload, and waits for that; undefined: SIGHUP, and nobody waits. */
  readonly reload: ReadonlyArray<string> | undefined
  readonly workingDirectory: string
  /** Undefined: systemd makes one up (`DynamicUser=`). */
  readonly user: string | undefined
  /** Ports below 1024, without being root. */
  readonly privilegedPorts: boolean
  readonly watchdogSeconds: number
}

/** An argument in systemd's words: quoted, its specifiers and variables taken literally (systemd.service(5), Command Lines). */
export const quote = (argument: string): string => {
  const literal = argument.replaceAll("%", "%%").replaceAll("$", "$$$$")
  return /^[A-Za-z0-9_@%$+=:,./-]+$/.test(literal)
    ? literal
    : `"${literal.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`
}

/** A value that is not a command line: only its specifiers are special. */
const literal = (value: string): string => value.replaceAll("%", "%%").replaceAll(/[\r\n]+/g, " ")

/** A name that directories may have. */
export const nameOf = (name: string): string => name.replaceAll(/[^A-Za-z0-9_.-]+/g, "-")

/** The lines of the unit file. */
export const text = (options: Options): string => {
  const name = nameOf(options.name)
  const identity = options.user === undefined ? ["DynamicUser=yes"] : [`User=${literal(options.user)}`]
  const capabilities = options.privilegedPorts
    ? ["AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE"]
    : ["CapabilityBoundingSet="]
  return [
    "[Unit]",
    `Description=${literal(options.description)}`,
    "Wants=network-online.target",
    "After=network-online.target",
    "",
    "[Service]",
    "# READY=1 comes when every service is ready.",
    "Type=notify",
    "# A restart without downtime hands the main process over (MAINPID=).",
    "NotifyAccess=all",
    `ExecStart=${options.command.map(quote).join(" ")}`,
    options.reload === undefined
      ? "ExecReload=/bin/kill -HUP $MAINPID"
      : `ExecReload=${options.reload.map(quote).join(" ")}`,
    `WorkingDirectory=${literal(options.workingDirectory)}`,
    `WatchdogSec=${options.watchdogSeconds}`,
    "Restart=on-failure",
    "RestartSec=1",
    "# EX_USAGE and EX_CONFIG do not go away by trying again.",
    "RestartPreventExitStatus=64 78",
    "TimeoutStartSec=90",
    "TimeoutStopSec=90",
    "KillMode=mixed",
    "",
    ...identity,
    ...capabilities,
    `RuntimeDirectory=${name}`,
    `StateDirectory=${name}`,
    `LogsDirectory=${name}`,
    "UMask=0077",
    "",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible",
    "LockPersonality=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "# Not MemoryDenyWriteExecute=: V8 compiles while it runs.",
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    ""
  ].join("\n")
}
