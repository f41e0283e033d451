package launch

// Method is the version of how launches are made and judged, on whatever target: profiles, probes, deadlines, and what is
// read from logs. It rises with every change after which the same image may pass or fail otherwise; results that were
// reached with another one are not used again.
const Method = "3"
