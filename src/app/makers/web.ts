/** `spindle web`: the files of a directory over HTTP. Twisted: `twist web --path`. */
import * as nodePath from "node:path"
import * as Flag from "effect/cli/Flag"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Portal from "../../auth/Portal.ts"
import * as Realm from "../../auth/Realm.ts"
import * as NodeFileStore from "../../node/NodeFileStore.ts"
import * as NodeLogFile from "../../node/NodeLogFile.ts"
import { quoteArgument } from "../../reactor/EndpointDescription.ts"
import * as AccessLog from "../../http/AccessLog.ts"
import * as Compression from "../../http/Compression.ts"
import * as ErrorPages from "../../http/ErrorPages.ts"
import * as Guard from "../../http/Guard.ts"
import * as StaticFiles from "../../http/StaticFiles.ts"
import type * as Endpoint from "../../reactor/Endpoint.ts"
import { UsageError } from "../cli/UsageError.ts"
import * as HttpService from "../HttpService.ts"
import * as ServiceGroup from "../ServiceGroup.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import { authFlag, checkers } from "./authenticating.ts"
import { refuseExposed, refusePlaintext } from "./exposure.ts"
import { listenFlag, servers } from "./listening.ts"

const byDefault = { tcp: 8080, tls: 8443, interface: "127.0.0.1" }

const several = (name: string, metavar: string, doc: string) =>
  Flag.String(name).pipe(Flag.atLeast(0), Flag.withMetavar(metavar), Flag.withDescription(doc))

const maybe = (name: string, metavar: string, doc: string) =>
  Flag.String(name).pipe(Flag.optional, Flag.withMetavar(metavar), Flag.withDescription(doc))

const flag = (name: string, doc: string) =>
  Flag.Boolean(name).pipe(Flag.withDefault(false), Flag.withDescription(doc))

/** A token, and nothing that could end the field. RFC 9110 §5. */
const headerField = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/

/** Of the message itself: whoever sets them breaks it. */
const ours = new Set(["connection", "content-length", "transfer-encoding", "content-range"])

const headersOf = (fields: ReadonlyArray<string>): Effect.Effect<Record<string, string>, UsageError> =>
  Effect.gen(function* () {
    const headers: Record<string, string> = {}
    for (const text of fields) {
      const [, name, value] = headerField.exec(text) ?? []
      if (name === undefined || value === undefined) {
        return yield* new UsageError({
          detail: `--add-header ${JSON.stringify(text)} is no field`,
          hint: '--add-header "Name: value"'
        })
      }
      const key = name.toLowerCase()
      if (ours.has(key)) return yield* new UsageError({ detail: `--add-header: ${name} is not to be set` })
      headers[key] = headers[key] === undefined ? value.trim() : `${headers[key]}, ${value.trim()}`
    }
    return headers
  })

const rootOf = (path: string): Effect.Effect<string, UsageError> => {
  // The daemon may go elsewhere before the service starts.
  const root = nodePath.resolve(path)
  return Effect.mapBoth(NodeFileStore.make.realPath(root), {
    onSuccess: () => root,
    onFailure: ({ reason }) =>
      new UsageError({
        detail: `--path: ${root}: ${reason._tag === "NotFound" ? "there is no such file or directory" : reason.message}`
      })
  })
}

/** Where nothing is said: loopback only. */
const listenOf = (
  listen: ReadonlyArray<string>,
  port: Option.Option<number>,
  tls: Option.Option<string>
): ReadonlyArray<string> => {
  const texts = [...listen]
  const [certificate = "", key = certificate] = Option.getOrElse(tls, () => "").split(",")
  const scheme = (number: number) =>
    Option.isNone(tls)
      ? `tcp:${number}`
      : `ssl:${number}:privateKey=${quoteArgument(key)}:certKey=${quoteArgument(certificate)}`
  if (Option.isSome(port)) texts.push(scheme(port.value))
  if (texts.length === 0)
    texts.push(
      `${scheme(Option.isNone(tls) ? byDefault.tcp : byDefault.tls)}:interface=${byDefault.interface}`
    )
  return texts
}

/** What somebody can type who is told where it listens. */
const urlOf = (endpoint: Endpoint.Server, address: NetAddress.SocketAddress): string => {
  if (!NetAddress.isInetAddress(address)) return `curl --unix-socket ${String(address)} http://localhost/`
  const host = NetAddress.formatIp(address.address)
  const any = host === "0.0.0.0" || host === "::"
  const name = any ? "localhost" : host.includes(":") ? `[${host}]` : host
  return `${endpoint._tag === "TlsServer" || endpoint._tag === "SecuredServer" ? "https" : "http"}://${name}:${address.port}/`
}

const accessLog = (
  path: string,
  format: AccessLog.Format
): Layer.Layer<never, NodeLogFile.LogFileError, HttpRouter.HttpRouter> =>
  Layer.unwrap(
    Effect.map(NodeLogFile.make({ path }), (file) =>
      AccessLog.layer({ format, write: (line) => Effect.sync(() => file.write(line)) })
    )
  )

/** Whoever was let in. */
class User extends Context.Service<User, string>()("spindle/app/makers/web/User") {}

/** Everything behind a name and a password (RFC 7617). */
const guardOf = (auth: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const portal = Portal.make({
      realms: [Realm.make(User, (id) => Effect.succeed(String(id)))],
      checkers: yield* checkers(auth, "UsernamePassword")
    })
    const guard = yield* Guard.make({ portal, interface: User, realm: "spindle web", schemes: ["basic"] })
    return HttpRouter.middleware(guard, { global: true }) as Layer.Layer<never, never, HttpRouter.HttpRouter>
  })

export const maker = ServiceMaker.make({
  name: "web",
  description: "serves the files of a directory over HTTP",
  flags: {
    listen: listenFlag(`tcp:${byDefault.tcp}:interface=${byDefault.interface}`),
    port: Flag.Int("port").pipe(
      Flag.withAlias("p"),
      Flag.optional,
      Flag.withMetavar("PORT"),
      Flag.withDescription("As in Twisted: listen on this port, on all interfaces")
    ),
    tls: maybe("tls", "CERTIFICATE[,KEY]", "PEM files: HTTPS instead of HTTP, at 8443 unless told otherwise"),
    path: Flag.String("path").pipe(
      Flag.withDefault("."),
      Flag.withMetavar("PATH"),
      Flag.withDescription("The directory, or a single file; default the current directory")
    ),
    index: several(
      "index",
      "NAME",
      "What a directory is answered with; may be repeated. Default index.html, index.htm"
    ),
    ignoreExt: several(
      "ignore-ext",
      ".EXT",
      "An extension that may be left out of what is asked for; may be repeated"
    ),
    mimeType: maybe(
      "mime-type",
      "TYPE",
      "Of files whose name does not tell; default application/octet-stream"
    ),
    auth: authFlag,
    connectionsMax: Flag.Int("connections-max").pipe(
      Flag.withDefault(10_000),
      Flag.withMetavar("COUNT"),
      Flag.withDescription("More connections than these are closed at once; default 10,000")
    ),
    connectionsPerPeerMax: Flag.Int("connections-per-peer-max").pipe(
      Flag.optional,
      Flag.withMetavar("COUNT"),
      Flag.withDescription("The same for each address, or /64 of IPv6; default no limit")
    ),
    displayTracebacks: flag(
      "display-tracebacks",
      "What goes wrong is told to whoever asks, with names and values: while you develop"
    ),
    unprotected: flag(
      "unprotected",
      "Passwords may go in plaintext, and tracebacks be shown, where others can connect"
    ),
    addHeader: several("add-header", "NAME:VALUE", "One more field of answers with files; may be repeated"),
    cacheControl: maybe("cache-control", "VALUE", "How long others may keep files: max-age=3600"),
    listing: flag("listing", "Directories without an index list what is in them"),
    spa: flag("spa", "Views of an application of one page get its index.html"),
    precompressed: flag("precompressed", "NAME.br, NAME.zst and NAME.gz are sent for NAME where they are"),
    compress: flag("compress", "Answers are compressed for whoever understands it: br, gzip"),
    dotfiles: flag("dotfiles", "Names that begin with a dot are served, too"),
    symlinks: Flag.Literals("symlinks", ["refuse", "inside", "follow"]).pipe(
      Flag.withDefault("refuse" as const),
      Flag.withDescription(
        "Links: refuse them, follow those that stay inside of the directory, or all; default refuse"
      )
    ),
    accessLog: maybe(
      "access-log",
      "FILE",
      "A line for each request; - is standard output. Twisted's --logfile"
    ),
    accessLogFormat: Flag.Literals("access-log-format", ["combined", "common", "json"]).pipe(
      Flag.withDefault("combined" as const),
      Flag.withDescription("Default combined")
    )
  },
  make: Effect.fnUntraced(function* (options) {
    const { port, tls } = options
    if (Option.isSome(tls) && options.listen.length > 0) {
      return yield* new UsageError({
        detail: "--tls and --listen are not to be used together",
        hint: "--listen ssl:PORT:privateKey=FILE:certKey=FILE"
      })
    }
    if (Option.isSome(port) && !(port.value >= 0 && port.value <= 65_535))
      return yield* new UsageError({ detail: `--port: ${port.value} is no port` })
    const root = yield* rootOf(options.path)
    const headers = yield* headersOf(options.addHeader)
    const endpoints = yield* servers(listenOf(options.listen, port, tls))
    if (options.auth.length > 0 && !options.unprotected) yield* refusePlaintext(endpoints, "unprotected")
    if (options.displayTracebacks && !options.unprotected)
      yield* refuseExposed(endpoints, "tracebacks tell names and values", "unprotected")
    const guard = options.auth.length === 0 ? Layer.empty : yield* guardOf(options.auth)
    const files = StaticFiles.layer({
      root,
      headers,
      index: options.index.length === 0 ? ["index.html", "index.htm"] : options.index,
      extensions: options.ignoreExt.map((extension) =>
        extension.startsWith(".") ? extension : `.${extension}`
      ),
      defaultType: Option.getOrUndefined(options.mimeType),
      cacheControl: Option.getOrUndefined(options.cacheControl),
      listing: options.listing,
      spa: options.spa,
      precompressed: options.precompressed,
      dotfiles: options.dotfiles ? "serve" : "hide",
      symlinks: options.symlinks
    })
    const routes = Layer.mergeAll(
      Option.match(options.accessLog, {
        onNone: () => Layer.empty,
        onSome: (path) => accessLog(path, options.accessLogFormat)
      }),
      ErrorPages.layer({ development: options.displayTracebacks }),
      guard,
      options.compress ? Compression.layer({ algorithms: ["br", "gzip"] }) : Layer.empty,
      files
    )
    return ServiceGroup.make(
      "web",
      endpoints.map((endpoint, i) =>
        HttpService.make({
          name: endpoints.length === 1 ? "http" : `http-${i + 1}`,
          endpoint,
          routes,
          connectionsMax: options.connectionsMax,
          connectionsPerPeerMax: Option.getOrUndefined(options.connectionsPerPeerMax),
          onStart: (address) => Effect.logInfo(`${root} is at ${urlOf(endpoint, address)}`)
        })
      ),
      { description: `serves ${root}` }
    )
  })
})
