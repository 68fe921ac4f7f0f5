/**
 * The kinds of endpoint that descriptions know by themselves: `tcp`, `tcp6`, `tls` (also written `ssl`), `unix`
 * and `udp`. Made as `EndpointScheme` lets anybody make more.
 *
 * From Twisted: the arguments of its strings, but `sslmethod` (see `versionMin`), `dhParameters` (the platform
 * chooses), `caCertsDir` (see `trustRoots`), `lockfile` (see `Endpoint.unix`).
 */
import * as Endpoint from "./Endpoint.ts"
import { allAddressesFor, isIpv6 } from "./EndpointAddress.ts"
import * as Argument from "./EndpointArgument.ts"
import { type Conflicting, type EndpointScheme, form, make } from "./EndpointScheme.ts"

// --- arguments that several forms share -----------------------------------------------------------------

/** The most that Linux takes (TCP_KEEPIDLE). */
const keepAliveSecondsMax = 32_767

const streamArguments = {
  noDelay: { kind: Argument.boolean, doc: "send small pieces at once (TCP_NODELAY); default yes" },
  keepAlive: {
    kind: Argument.either(
      Argument.boolean,
      Argument.seconds({ max: keepAliveSecondsMax }),
      `yes, no, or a number of seconds above 0 to ${keepAliveSecondsMax}`
    ),
    doc: "ask the network whether an idle peer still lives, after so many seconds; default no"
  },
  receiveBytesMax: { kind: Argument.bytes, doc: "received bytes that may wait; default 65536" },
  sendBytesMax: {
    kind: Argument.bytes,
    doc: "bytes on their way out above which sending waits; default 65536"
  },
  closeTimeout: {
    kind: Argument.seconds({ zero: true }),
    doc: "how long closing may flush to a peer that does not read; default 10"
  }
} as const

const backlog = {
  kind: Argument.count,
  doc: "connections held ready before they are accepted; default 511"
} as const

const ipv6Only = { kind: Argument.boolean, doc: "refuse IPv4 peers; default no" } as const

const timeout = {
  kind: Argument.seconds({ infinity: true }),
  doc: "for the whole attempt: name, connection, handshake; default 30"
} as const

const localPort = {
  kind: Argument.withHint(Argument.port, (text) =>
    Argument.isAddress(text) || text === "localhost"
      ? "the address to listen on is given as interface=ADDRESS"
      : undefined
  ),
  position: 0,
  required: true,
  doc: "the port; 0 lets the system choose"
} as const

const host = { kind: Argument.host, position: 0, required: true, doc: "a name or an IP address" } as const

const peerPort = { kind: Argument.peerPort, position: 1, required: true, doc: "its port" } as const

const bindArguments = {
  bindAddress: { kind: Argument.localAddress, doc: "the local address to come from" },
  bindPort: { kind: Argument.port, doc: "the local port to come from" }
} as const

const tlsArguments = {
  alpn: { kind: Argument.list, doc: "protocols offered by ALPN, in order of preference" },
  versionMin: {
    kind: Argument.choice(["TLSv1.2", "TLSv1.3"]),
    doc: "the oldest version accepted; default TLSv1.2"
  },
  ciphers: {
    kind: Argument.text,
    placeholder: "CIPHERS",
    doc: "an OpenSSL cipher string, its colons escaped; default the platform's"
  },
  handshakeTimeout: { kind: Argument.seconds({}), doc: "for the whole handshake; default 30" }
} as const

// --- parts of endpoints ---------------------------------------------------------------------------------

/** Only what is there: fields that are `undefined` would hide defaults. */
const present = <T extends object>(fields: T): T => {
  const kept: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) if (field !== undefined) kept[name] = field
  return kept as T
}

interface Bind {
  readonly bindAddress?: string | undefined
  readonly bindPort?: number | undefined
}

const bind = ({ bindAddress, bindPort }: Bind) =>
  bindAddress === undefined ? {} : { bindAddress: present({ address: bindAddress, port: bindPort }) }

const checkBind = ({ bindAddress, bindPort }: Bind) =>
  bindPort !== undefined && bindAddress === undefined
    ? conflict("bindPort", "bindPort is of use only together with bindAddress")
    : undefined

const conflict = (argument: string, detail: string): Conflicting => ({ argument, detail })

// --- the schemes ----------------------------------------------------------------------------------------

export const tcp: EndpointScheme = make({
  name: "tcp",
  server: form({
    arguments: {
      port: localPort,
      interface: {
        kind: Argument.localAddress,
        doc: "the address to listen on; default 0.0.0.0, all of IPv4"
      },
      backlog,
      ...streamArguments
    },
    make: Endpoint.tcp
  }),
  client: form({
    arguments: { host, port: peerPort, timeout, ...bindArguments, ...streamArguments },
    check: checkBind,
    make: ({ bindAddress, bindPort, ...rest }) =>
      Endpoint.tcpClient({ ...rest, ...bind({ bindAddress, bindPort }) })
  })
})

export const tcp6: EndpointScheme = make({
  name: "tcp6",
  server: form({
    arguments: {
      port: localPort,
      interface: { kind: Argument.localAddress6, doc: "the address to listen on; default ::, all of them" },
      backlog,
      ipv6Only,
      ...streamArguments
    },
    make: Endpoint.tcp6
  })
})

export const tls: EndpointScheme = make({
  name: "tls",
  aliases: ["ssl"],
  server: form({
    arguments: {
      port: localPort,
      privateKey: { kind: Argument.pemPrivateKey, required: true, doc: "PEM file with the private key" },
      certKey: {
        kind: Argument.pemCertificates,
        required: true,
        sameAs: "privateKey",
        aliases: ["certificate"],
        doc: "PEM file with its certificate, and perhaps the chain; default the file of privateKey"
      },
      extraCertChain: {
        kind: Argument.pemCertificates,
        doc: "PEM file with the certificates between it and the root"
      },
      interface: {
        kind: Argument.localAddress,
        doc: "the address to listen on; default 0.0.0.0, all of IPv4"
      },
      backlog,
      ipv6Only,
      clientAuthorities: {
        kind: Argument.pemCertificates,
        doc: "PEM file with the authorities that vouch for clients"
      },
      clientCertificate: {
        kind: Argument.choice(["none", "request", "require"]),
        doc: "whether clients show a certificate; default none"
      },
      ...tlsArguments,
      ...streamArguments
    },
    hints: {
      sslmethod: "versionMin is the oldest version of TLS to accept",
      dhParameters: "the platform chooses its parameters itself"
    },
    check: ({ clientAuthorities, clientCertificate, interface: address, ipv6Only }) => {
      if (ipv6Only !== undefined && !isIpv6(address ?? "")) {
        return conflict("ipv6Only", "ipv6Only is of use only with an IPv6 address as the interface")
      }
      if (clientCertificate === "require" && clientAuthorities === undefined) {
        return conflict(
          "clientCertificate",
          "clientCertificate=require needs clientAuthorities: who vouches for the clients"
        )
      }
      if (clientAuthorities !== undefined && (clientCertificate ?? "none") === "none") {
        return conflict(
          "clientAuthorities",
          "clientAuthorities is of use only with clientCertificate=request or clientCertificate=require"
        )
      }
      return undefined
    },
    make: (values) => {
      const { alpn, certKey, ciphers, clientAuthorities, clientCertificate, extraCertChain, ...others } =
        values
      const { handshakeTimeout, privateKey, versionMin, ...listen } = others
      return Endpoint.tls({
        ...listen,
        tls: present({
          identity: { certificate: `${certKey}${extraCertChain ?? ""}`, privateKey },
          clientCertificate,
          authorities: clientAuthorities,
          alpn,
          versionMin,
          ciphers,
          handshakeTimeout
        })
      })
    }
  }),
  client: form({
    arguments: {
      host,
      port: peerPort,
      timeout,
      ...bindArguments,
      certificate: {
        kind: Argument.pemCertificates,
        aliases: ["certKey"],
        doc: "PEM file with our own certificate, and perhaps the chain"
      },
      privateKey: { kind: Argument.pemPrivateKey, doc: "PEM file with its private key" },
      trustRoots: {
        kind: Argument.pemCertificates,
        doc: "PEM file with the authorities to trust; default the platform's"
      },
      hostname: {
        kind: Argument.host,
        placeholder: "NAME",
        doc: "the name that the server's certificate must have; default HOST"
      },
      ...tlsArguments,
      ...streamArguments
    },
    hints: { caCertsDir: "trustRoots is one file with the certificates of all authorities" },
    check: ({ bindAddress, bindPort, certificate, privateKey }) => {
      if (certificate !== undefined && privateKey === undefined) {
        return conflict("certificate", "certificate needs privateKey: the file with its private key")
      }
      if (privateKey !== undefined && certificate === undefined) {
        return conflict("privateKey", "privateKey needs certificate: the file with its certificate")
      }
      return checkBind({ bindAddress, bindPort })
    },
    make: (values) => {
      const { alpn, bindAddress, bindPort, certificate, ciphers, handshakeTimeout, hostname, ...others } =
        values
      const { privateKey, trustRoots, versionMin, ...connect } = others
      return Endpoint.tlsClient({
        ...connect,
        ...bind({ bindAddress, bindPort }),
        tls: present({
          identity:
            certificate === undefined || privateKey === undefined ? undefined : { certificate, privateKey },
          serverName: hostname,
          authorities: trustRoots,
          alpn,
          versionMin,
          ciphers,
          handshakeTimeout
        })
      })
    }
  })
})

const path = { kind: Argument.path, position: 0, required: true, doc: "the socket file" } as const

const withoutLockFile = { lockfile: "there are no lock files: leave the argument out" }

export const unix: EndpointScheme = make({
  name: "unix",
  server: form({
    arguments: {
      path,
      mode: { kind: Argument.mode, doc: "permissions of the socket file, in octal; default 666" },
      backlog,
      ...streamArguments
    },
    hints: withoutLockFile,
    make: Endpoint.unix
  }),
  client: form({
    arguments: { path, timeout, ...streamArguments },
    hints: withoutLockFile,
    make: Endpoint.unixClient
  })
})

const datagramArguments = {
  interface: {
    kind: Argument.localAddress,
    doc: "the local address; default all of IPv4 (of IPv6 for an IPv6 peer)"
  },
  broadcast: { kind: Argument.boolean, doc: "allow sending to broadcast addresses; default no" },
  reuseAddress: {
    kind: Argument.boolean,
    doc: "share the port with others that ask for the same; default no"
  },
  datagramBytesMax: {
    kind: Argument.integer({ min: 1, max: 65_535, placeholder: "BYTES" }),
    doc: "the longest datagram accepted; default 65507"
  },
  receiveMax: { kind: Argument.count, doc: "received datagrams that may wait; default 1024" },
  receiveBufferBytes: { kind: Argument.bytes, doc: "the system's receive buffer" },
  sendBufferBytes: { kind: Argument.bytes, doc: "the system's send buffer" }
} as const

export const udp: EndpointScheme = make({
  name: "udp",
  udp: form({ arguments: { port: localPort, ...datagramArguments }, make: Endpoint.udp }),
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
        ...rest,
        port: bindPort ?? 0,
        connect: { host, port }
      })
  })
})

/** The built-in schemes, in the order in which messages list them. */
export const all: ReadonlyArray<EndpointScheme> = [tcp, tcp6, tls, unix, udp]
