/** `spindle daytime`. */
import * as Flag from "effect/cli/Flag"
import * as Daytime from "../../inetd/Daytime.ts"
import * as DaytimeWire from "../../inetd/DaytimeWire.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import { flags, serve } from "./smallService.ts"

const { description, name, port } = Daytime.make()

export const maker = ServiceMaker.make({
  name,
  description,
  flags: {
    ...flags(port),
    format: Flag.Literals("format", DaytimeWire.formats).pipe(
      Flag.withDefault("rfc3339" as const),
      Flag.withDescription("2026-11-21T14:30:05Z, or Sat Nov 21 14:30:05 2026; default rfc3339")
    )
  },
  make: ({ format, ...options }) => serve(Daytime.make(format), options)
})
