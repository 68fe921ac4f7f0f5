/** `spindle inetd`: the services of an inetd.conf. Twisted: `twist inetd`. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as InetdConfWire from "../../inetd/InetdConfWire.ts"
import * as ServicesWire from "../../inetd/ServicesWire.ts"
import * as NodeIdentity from "../../node/NodeIdentity.ts"
import * as NodeTextFile from "../../node/NodeTextFile.ts"
import type { Processes } from "../../reactor/ProcessesService.ts"
import type { Reactor } from "../../reactor/Reactor.ts"
import type { DatagramError, ListenError } from "../../reactor/ReactorError.ts"
import { UsageError } from "../cli/UsageError.ts"
import type * as Service from "../Service.ts"
import * as ServiceGroup from "../ServiceGroup.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import * as inetdServices from "./inetdServices.ts"

const servicesFileDefault = "/etc/services"

const readText = (flag: string, file: string) =>
  NodeTextFile.read(file).pipe(
    Effect.mapError((error) => new UsageError({ detail: `--${flag}: ${error.message}` }))
  )

/** The system's file need not be there: the small services are known without it. */
const servicesOf = (file: Option.Option<string>) =>
  Option.match(file, {
    onNone: () =>
      readText("services", servicesFileDefault).pipe(
        Effect.map(ServicesWire.parse),
        Effect.orElseSucceed(() => ServicesWire.standard)
      ),
    onSome: (file) => Effect.map(readText("services", file), ServicesWire.parse)
  })

/** `echo-tcp`, `ftp-tcp6`; with the number of its line where that is taken, or can be no name. */
const nameOf = (
  { family, line, protocol, service }: InetdConfWire.Entry,
  taken: ReadonlySet<string>
): string => {
  const name = `${service}-${protocol}${family === "IPv6" ? "6" : ""}`
  return taken.has(name) ? `${name}-${line}` : name
}

export const maker = ServiceMaker.make({
  name: "inetd",
  description: "runs the services of an inetd.conf",
  flags: {
    file: Flag.String("file").pipe(
      Flag.withAlias("f"),
      Flag.withDefault("/etc/inetd.conf"),
      Flag.withMetavar("FILE"),
      Flag.withDescription("The configuration; default /etc/inetd.conf")
    ),
    services: Flag.String("services").pipe(
      Flag.optional,
      Flag.withMetavar("FILE"),
      Flag.withDescription(`The ports of services by name; default ${servicesFileDefault}`)
    ),
    connectionsMax: Flag.Int("connections-max").pipe(
      Flag.withDefault(256),
      Flag.withMetavar("COUNT"),
      Flag.withDescription("More connections to one service than these are closed at once; default 256")
    )
  },
  make: Effect.fnUntraced(function* ({ connectionsMax, file, services }) {
    const known = yield* servicesOf(services)
    const { entries, problems } = InetdConfWire.parse(yield* readText("file", file), known)
    const skipped: Array<string> = []
    const skip = (line: number, detail: string) => {
      skipped.push(`line ${line}: ${detail}`)
      return Effect.logWarning(`${file}:${line}: skipped: ${detail}`)
    }
    for (const { detail, line } of problems) yield* skip(line, detail)
    const self = NodeIdentity.self()
    const made = new Map<string, Service.Service<never, DatagramError | ListenError, Processes | Reactor>>()
    for (const entry of entries) {
      const name = nameOf(entry, new Set(made.keys()))
      yield* inetdServices.make(entry, name, { connectionsMax, self }).pipe(
        Effect.matchEffect({
          onFailure: (error) => skip(entry.line, error.message),
          onSuccess: (service) => Effect.sync(() => void made.set(name, service))
        })
      )
    }
    if (made.size === 0) {
      const [first] = skipped
      const why = first === undefined ? "" : `; the first of them is ${first}`
      return yield* new UsageError({ detail: `${file} has no line that can be used${why}` })
    }
    return ServiceGroup.make("inetd", [...made.values()], { description: `the services of ${file}` })
  })
})
