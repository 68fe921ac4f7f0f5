export * as HttpServer from "./HttpServer.ts"
