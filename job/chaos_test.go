package job_test

const chaosVar = "FAIRLEAD_TEST_CHAOS"

func chaosServer(string) {}
