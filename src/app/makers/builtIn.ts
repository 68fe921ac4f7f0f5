/** The services that are always there. Each one's module is loaded when it is used, and not for a list of them. */
import type * as ServiceMaker from "../ServiceMaker.ts"

export interface BuiltIn {
  readonly name: string
  /** The same as that of the maker. */
  readonly description: string
  readonly load: () => Promise<{ readonly maker: ServiceMaker.Any }>
}

export const builtIn: ReadonlyArray<BuiltIn> = [
  {
    name: "echo",
    description: "sends back whatever it receives (RFC 862)",
    load: () => import("./echo.ts")
  },
  {
    name: "discard",
    description: "throws away whatever it receives (RFC 863)",
    load: () => import("./discard.ts")
  },
  {
    name: "chargen",
    description: "sends a rotating pattern of characters (RFC 864)",
    load: () => import("./chargen.ts")
  },
  {
    name: "daytime",
    description: "says date and time as text, and closes (RFC 867)",
    load: () => import("./daytime.ts")
  },
  {
    name: "time",
    description: "says the seconds since 1900 in four bytes, and closes (RFC 868)",
    load: () => import("./time.ts")
  },
  {
    name: "qotd",
    description: "says a quotation, and closes (RFC 865)",
    load: () => import("./qotd.ts")
  },
  {
    name: "finger",
    description: "tells who somebody is (RFC 1288)",
    load: () => import("./finger.ts")
  },
  {
    name: "ident",
    description: "tells whose connection it is, or that nobody tells (RFC 1413)",
    load: () => import("./ident.ts")
  },
  {
    name: "postfix",
    description: "a table that Postfix asks (tcp_table(5), socketmap_table(5))",
    load: () => import("./postfix.ts")
  },
  {
    name: "memcached",
    description: "a cache in memory, for clients of memcached",
    load: () => import("./memcached.ts")
  },
  {
    name: "socks",
    description: "a SOCKS proxy: 4, 4a and 5 (RFC 1928)",
    load: () => import("./socks.ts")
  },
  {
    name: "telnet",
    description: "a few commands at a terminal (RFC 854)",
    load: () => import("./telnet.ts")
  },
  {
    name: "web",
    description: "serves the files of a directory over HTTP",
    load: () => import("./web.ts")
  },
  {
    name: "portforward",
    description: "passes connections on to another place",
    load: () => import("./portforward.ts")
  },
  {
    name: "procmon",
    description: "keeps a program running, and logs what it says",
    load: () => import("./procmon.ts")
  },
  {
    name: "inetd",
    description: "runs the services of an inetd.conf",
    load: () => import("./inetd.ts")
  }
]
