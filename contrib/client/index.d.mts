// SPDX-License-Identifier: ISC
// What import gives: the same names as require().
export * from "./index.js";
