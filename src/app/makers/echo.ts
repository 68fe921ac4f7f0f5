/** `spindle echo`. */
import * as Echo from "../../inetd/Echo.ts"
import * as ServiceMaker from "../ServiceMaker.ts"
import { flags, serve } from "./smallService.ts"

const { description, name, port } = Echo.service

export const maker = ServiceMaker.make({
  name,
  description,
  flags: flags(port),
  make: (options) => serve(Echo.service, options)
})
