/** `spindle time`. */
import * as Time from "../../inetd/Time.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import { flags, serve } from "./smallService.ts"

const { description, name, port } = Time.service

export const maker = ServiceMaker.make({
  name,
  description,
  flags: flags(port),
  make: (options) => serve(Time.service, options)
})
