/**
 * The kinds of endpoint that descriptions know by themselves: `tcp`, `tcp6`, `tls` (also written `ssl`), `unix`, `fd`,
 * `systemd`, `stdio`, `udp`, and around another endpoint `haproxy` and `secured`. Made as `EndpointScheme` lets anybody
 * make more.
 *
 * From Twisted: the arguments of its strings, but `sslmethod` (see `versionMin`), `dhParameters` (the platform
 * chooses), `caCertsDir` (see `trustRoots`).
 */
import * as Endpoint from "./Endpoint.ts"
import { allAddressesFor } from "./EndpointAddress.ts"
import * as Argument from "./EndpointArgument.ts"
import { type EndpointScheme, form, make, type Values } from "./EndpointScheme.ts"
import {
  attemptDelay,
  backlog,
  bind,
  bindArguments,
  checkBind,
  conflict,
  host,
  ipv6Only,
  localPort,
  parted,
  peerPort,
  present,
  reusePort,
  streamArguments,
  timeout
} from "./EndpointSchemeArguments.ts"
import { secured, tls } from "./EndpointTlsSchemes.ts"

export { secured, tls } from "./EndpointTlsSchemes.ts"

export const tcp: EndpointScheme = make({
  name: "tcp",
  doc: "TCP: IPv4, or IPv6 where an address says so",
  server: form({
    arguments: {
      port: localPort,
      interface: {
        kind: Argument.localAddress,
        doc: "the address to listen on; default 0.0.0.0, all of IPv4"
      },
      backlog,
      reusePort,
      ...streamArguments
    },
    make: Endpoint.tcp
  }),
  client: form({
    arguments: { host, port: peerPort, timeout, attemptDelay, ...bindArguments, ...streamArguments },
    check: checkBind,
    make: ({ bindAddress, bindPort, ...rest }) =>
      Endpoint.tcpClient({ ...rest, ...bind({ bindAddress, bindPort }) })
  })
})

export const tcp6: EndpointScheme = make({
  name: "tcp6",
  doc: "TCP over IPv6",
  server: form({
    arguments: {
      port: localPort,
      interface: {
        kind: Argument.localAddress6,
        doc: "the address to listen on; default ::, all of IPv6, and of IPv4 unless ipv6Only"
      },
      backlog,
      ipv6Only,
      reusePort,
      ...streamArguments
    },
    make: Endpoint.tcp6
  })
})

const path = {
  kind: Argument.path,
  position: 0,
  required: true,
  doc: "the socket file"
} as const

const abstract = {
  kind: Argument.boolean,
  doc: "PATH is a name without a file (Linux); default no"
} as const

interface UnixPlace {
  readonly path: string
  readonly abstract?: boolean | undefined
}

const unixPlace = <T extends UnixPlace>({ abstract, path, ...rest }: T) => ({
  ...rest,
  path: abstract === true ? `\0${path}` : path
})

export const unix: EndpointScheme = make({
  name: "unix",
  doc: "UNIX sockets",
  server: form({
    arguments: {
      path,
      abstract,
      mode: { kind: Argument.mode, doc: "permissions of the socket file, in octal; default 666" },
      lock: {
        kind: Argument.boolean,
        aliases: ["lockfile"],
        doc: "hold a lock file, and replace what a dead process left behind; default yes"
      },
      backlog,
      ...streamArguments
    },
    make: (values) => Endpoint.unix(unixPlace(values))
  }),
  client: form({
    arguments: {
      path,
      abstract,
      timeout,
      lock: {
        kind: Argument.boolean,
        aliases: ["lockfile"],
        doc: "refuse when no live process holds the lock file; default no"
      },
      ...streamArguments
    },
    make: (values) => Endpoint.unixClient(unixPlace(values))
  })
})

const descriptor = {
  kind: Argument.integer({ min: 0, max: 2 ** 31 - 1, placeholder: "FD" }),
  position: 0,
  required: true,
  doc: "the number of an inherited file descriptor"
} as const

export const fd: EndpointScheme = make({
  name: "fd",
  doc: "a socket that this process was started with, as inetd and others pass one",
  server: form({ arguments: { fd: descriptor, backlog, ...streamArguments }, make: Endpoint.fd }),
  client: form({ arguments: { fd: descriptor, timeout, ...streamArguments }, make: Endpoint.fdClient })
})

export const systemd: EndpointScheme = make({
  name: "systemd",
  doc: "a socket that systemd passed (socket activation)",
  server: form({
    arguments: {
      index: {
        kind: Argument.integer({ min: 0, max: 2 ** 31 - 1, placeholder: "N" }),
        doc: "its place among the sockets that systemd passed, from 0; or else name"
      },
      name: { kind: Argument.text, placeholder: "NAME", doc: "its FileDescriptorName= instead" },
      domain: { kind: Argument.choice(["INET", "INET6", "UNIX"]), doc: "what it must be; default anything" },
      backlog,
      ...streamArguments
    },
    check: ({ index, name }) => {
      if (index === undefined && name === undefined) {
        return { argument: "index", detail: "index or name of systemd is missing", missing: true }
      }
      return index === undefined || name === undefined
        ? undefined
        : conflict("name", "name and index say the same: give one of them")
    },
    make: ({ index, name, ...rest }) =>
      Endpoint.systemd({ ...rest, descriptor: name === undefined ? { index: index! } : { name } })
  })
})

export const stdio: EndpointScheme = make({
  name: "stdio",
  doc: "standard input and output as one connection",
  server: form({ arguments: streamArguments, make: Endpoint.stdio }),
  client: form({ arguments: streamArguments, make: Endpoint.stdioClient })
})

export const haproxy: EndpointScheme = make({
  name: "haproxy",
  doc: "another endpoint with PROXY headers: behind proxies, which name the real peers; or naming oneself, as a client",
  serverWrapper: form({
    arguments: {
      trusted: {
        kind: Argument.peers,
        required: true,
        doc: "whose PROXY headers are believed: addresses, networks, unix; others are closed"
      },
      headerTimeout: { kind: Argument.seconds({}), doc: "until the whole header is there; default 5" },
      headerBytesMax: { kind: Argument.bytes, doc: "the longest version 2 header; default 4096" }
    },
    make: (proxy) => (inner: Endpoint.Server) => Endpoint.proxied({ inner, proxy })
  }),
  clientWrapper: form({
    arguments: {
      version: {
        kind: Argument.choice(["1", "2"]),
        doc: "of the PROXY header that goes first; default 2"
      },
      local: {
        kind: Argument.boolean,
        doc: "nobody is spoken for, as in a health check (version 2); default no: the ends of the connection are named"
      }
    },
    check: ({ local, version }) =>
      local === true && version === "1" ? conflict("local", "version 1 has no LOCAL") : undefined,
    make: (values) => (inner: Endpoint.Client) =>
      Endpoint.proxiedClient(
        present({
          inner,
          version: values.version === undefined ? undefined : values.version === "1" ? 1 : 2,
          header: values.local === undefined ? undefined : values.local ? "local" : "own"
        } as const)
      )
  })
})

const multicastArguments = {
  groups: {
    kind: Argument.groups,
    doc: "multicast groups to join"
  },
  multicastInterface: {
    kind: Argument.localAddress,
    doc: "the interface to join them on and to send to groups by; default the system's choice"
  },
  multicastTtl: {
    kind: Argument.integer({ min: 0, max: 255, placeholder: "HOPS" }),
    doc: "hops that a datagram to a group may take; default 1"
  },
  multicastLoopback: {
    kind: Argument.boolean,
    doc: "members on this machine get what we send to a group; default yes"
  }
} as const

const datagramArguments = {
  interface: {
    kind: Argument.localAddress,
    doc: "the local address; default all of IPv4 (of IPv6 for an IPv6 peer)"
  },
  ipv6Only,
  broadcast: { kind: Argument.boolean, doc: "allow sending to broadcast addresses; default no" },
  reuseAddress: {
    kind: Argument.boolean,
    doc: "share the port with others that ask for the same; default no"
  },
  datagramBytesMax: {
    kind: Argument.integer({ min: 1, max: 65_535, placeholder: "BYTES" }),
    doc: "the longest datagram accepted; default 65507"
  },
  reusePort,
  receiveMax: { kind: Argument.count, doc: "received datagrams that may wait; default 1024" },
  ...multicastArguments,
  receiveBufferBytes: { kind: Argument.bytes, doc: "the system's receive buffer" },
  sendBufferBytes: { kind: Argument.bytes, doc: "the system's send buffer" }
} as const

/** The arguments about multicast as one option. */
const withMulticast = <T extends Values<typeof multicastArguments>>(values: T) => {
  const [{ groups, ...rest }, others] = parted(values, multicastArguments)
  const { multicastInterface, multicastLoopback: loopback, multicastTtl: ttl } = rest
  const options = present({
    groups: groups?.map((group) => present({ group, interface: multicastInterface })),
    ttl,
    loopback,
    interface: multicastInterface
  })
  return Object.keys(options).length === 0 ? others : { ...others, multicast: options }
}

export const udp: EndpointScheme = make({
  name: "udp",
  doc: "UDP",
  udp: form({
    arguments: { port: localPort, ...datagramArguments },
    make: (values) => Endpoint.udp(withMulticast(values))
  }),
  udpConnected: form({
    arguments: {
      host,
      port: peerPort,
      bindPort: { kind: Argument.port, doc: "the local port; default 0, the system chooses" },
      ...datagramArguments
    },
    make: ({ bindPort, host, port, ...rest }) =>
      Endpoint.udp({
        interface: allAddressesFor(host),
        ...withMulticast(rest),
        port: bindPort ?? 0,
        connect: { host, port }
      })
  })
})

/** The built-in schemes, in the order in which messages list them. */
export const all: ReadonlyArray<EndpointScheme> = [
  tcp,
  tcp6,
  tls,
  unix,
  fd,
  systemd,
  stdio,
  haproxy,
  secured,
  udp
]
