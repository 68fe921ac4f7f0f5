/** The schemes with TLS: `tls`, over TCP, and `secured`, over any other endpoint. */
import * as Endpoint from "./Endpoint.ts"
import { isIpv6 } from "./EndpointAddress.ts"
import * as Argument from "./EndpointArgument.ts"
import {
  type CheckedValues,
  type Conflicting,
  type EndpointScheme,
  form,
  make,
  type Read,
  type Values
} from "./EndpointScheme.ts"
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
import type { FileIdentity } from "./IdentityFiles.ts"
import type * as Tls from "./Tls.ts"

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

// Who a TLS server is, and whom it lets in: of every form that has one.
const serverTlsArguments = {
  privateKey: {
    kind: Argument.pemPrivateKey,
    doc: "PEM file with the private key; this or certificates is needed"
  },
  certKey: {
    kind: Argument.pemCertificates,
    sameAs: "privateKey",
    aliases: ["certificate"],
    doc: "PEM file with its certificate, and perhaps the chain; default the file of privateKey"
  },
  extraCertChain: {
    kind: Argument.pemCertificates,
    doc: "PEM file with the certificates between it and the root"
  },
  certificates: {
    kind: Argument.directory,
    aliases: ["path"],
    doc: "instead of privateKey: a directory of PEM files, chosen from by the name a client asks for, and followed as they change"
  },
  clientAuthorities: {
    kind: Argument.pemCertificates,
    doc: "PEM file with the authorities that vouch for clients"
  },
  clientCertificate: {
    kind: Argument.choice(["none", "request", "require"]),
    doc: "whether clients show a certificate; default none"
  },
  handshakesMax: { kind: Argument.count, doc: "handshakes under way at once; default 1024" },
  ...tlsArguments
} as const

const serverTlsHints = {
  sslmethod: "versionMin is the oldest version of TLS to accept",
  dhParameters: "the platform chooses its parameters itself"
} as const

/** What is wrong with the TLS arguments together, by the scheme's name. */
const checkServerTls = (
  scheme: string,
  values: CheckedValues<typeof serverTlsArguments>
): Conflicting | undefined => {
  const { certKey, certificates, clientAuthorities, clientCertificate, extraCertChain, privateKey } = values
  if (certificates !== undefined) {
    for (const [name, given] of Object.entries({ privateKey, certKey, extraCertChain })) {
      if (given !== undefined) return conflict(name, `${name} is of no use together with certificates`)
    }
  } else if (privateKey === undefined) {
    return {
      argument: "privateKey",
      detail: `privateKey or certificates of ${scheme} is missing`,
      missing: true
    }
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
}

/** Knows its files, so that they can be read again. */
const identityOf = (
  { certKey, extraCertChain, privateKey }: Values<typeof serverTlsArguments>,
  { files, paths }: Read
): Tls.Identity | FileIdentity => {
  // Without a directory there is a key: checked above, and its certificate is the same file's or another's.
  const identity = { certificate: `${certKey}${extraCertChain ?? ""}`, privateKey: privateKey! }
  if (files === undefined) return identity
  const origin = {
    files,
    privateKey: paths.privateKey!,
    certificate: paths.certKey,
    chain: paths.extraCertChain
  }
  return { ...identity, origin }
}

const serverTls = (values: Values<typeof serverTlsArguments>, read: Read): Tls.ServerOptions => {
  const { alpn, certificates, ciphers, clientAuthorities, clientCertificate, ...others } = values
  const { handshakeTimeout, handshakesMax, versionMin } = others
  return present({
    identity: certificates ?? identityOf(values, read),
    clientCertificate,
    authorities: clientAuthorities,
    alpn,
    versionMin,
    ciphers,
    handshakeTimeout,
    handshakesMax
  })
}

const clientTlsArguments = {
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
    doc: "the name that the server's certificate must have; default the host that is connected to"
  },
  resume: { kind: Argument.boolean, doc: "resume earlier sessions with the same server; default yes" },
  ...tlsArguments
} as const

const clientTlsHints = {
  caCertsDir: "trustRoots is one file with the certificates of all authorities"
} as const

const checkClientTls = ({ certificate, privateKey }: CheckedValues<typeof clientTlsArguments>) => {
  if (certificate !== undefined && privateKey === undefined) {
    return conflict("certificate", "certificate needs privateKey: the file with its private key")
  }
  if (privateKey !== undefined && certificate === undefined) {
    return conflict("privateKey", "privateKey needs certificate: the file with its certificate")
  }
  return undefined
}

const clientTls = (values: Values<typeof clientTlsArguments>): Tls.ClientOptions => {
  const { alpn, certificate, ciphers, handshakeTimeout, hostname, privateKey, ...others } = values
  const { resume, trustRoots, versionMin } = others
  return present({
    identity: certificate === undefined || privateKey === undefined ? undefined : { certificate, privateKey },
    serverName: hostname,
    authorities: trustRoots,
    alpn,
    versionMin,
    ciphers,
    handshakeTimeout,
    resume
  })
}

export const tls: EndpointScheme = make({
  name: "tls",
  aliases: ["ssl"],
  doc: "TLS over TCP",
  server: form({
    arguments: {
      port: localPort,
      ...serverTlsArguments,
      interface: {
        kind: Argument.localAddress,
        doc: "the address to listen on; default 0.0.0.0, all of IPv4"
      },
      backlog,
      ipv6Only,
      reusePort,
      ...streamArguments
    },
    hints: serverTlsHints,
    check: (values) =>
      values.ipv6Only !== undefined && !isIpv6(values.interface ?? "")
        ? conflict("ipv6Only", "ipv6Only is of use only with an IPv6 address as the interface")
        : checkServerTls("tls", values),
    make: (values, read) => {
      const [tls, listen] = parted(values, serverTlsArguments)
      return Endpoint.tls({ ...listen, tls: serverTls(tls, read) })
    }
  }),
  client: form({
    arguments: {
      host,
      port: peerPort,
      timeout,
      attemptDelay,
      ...bindArguments,
      ...clientTlsArguments,
      ...streamArguments
    },
    hints: clientTlsHints,
    check: (values) => checkClientTls(values) ?? checkBind(values),
    make: (values) => {
      const [tls, { bindAddress, bindPort, ...connect }] = parted(values, clientTlsArguments)
      return Endpoint.tlsClient({ ...connect, ...bind({ bindAddress, bindPort }), tls: clientTls(tls) })
    }
  })
})

export const secured: EndpointScheme = make({
  name: "secured",
  doc: "TLS on the connections of another endpoint",
  serverWrapper: form({
    arguments: serverTlsArguments,
    hints: serverTlsHints,
    check: (values) => checkServerTls("secured", values),
    make: (values, read) => (inner: Endpoint.Server) =>
      Endpoint.secured({ inner, tls: serverTls(values, read) })
  }),
  clientWrapper: form({
    arguments: clientTlsArguments,
    hints: clientTlsHints,
    check: checkClientTls,
    make: (values) => (inner: Endpoint.Client) => Endpoint.securedClient({ inner, tls: clientTls(values) })
  })
})
