// Written by hallmark init. The agent is a Linux machine on which sudo asks for no password. The parameters
// env.HALLMARK_REGISTRY_USERNAME and env.HALLMARK_REGISTRY_PASSWORD are of the project, the second of type password.
import jetbrains.buildServer.configs.kotlin.*
import jetbrains.buildServer.configs.kotlin.buildFeatures.xmlReport
import jetbrains.buildServer.configs.kotlin.buildFeatures.XmlReport
import jetbrains.buildServer.configs.kotlin.buildSteps.script
import jetbrains.buildServer.configs.kotlin.triggers.vcs

version = "2024.12"

project {
    buildType(GoldenImage)
}

object GoldenImage : BuildType({
    name = "Golden image"
    artifactRules = "hallmark/** => hallmark"

    params {
        param("env.HALLMARK_IMAGE", "<<.Image>>")
        param("env.HALLMARK_REGISTRY_HOST", "<<.Host>>")
    }

    vcs {
        root(DslContext.settingsRoot)
    }

    steps {
        script {
            name = "Golden image"
            scriptContent = """
                mkdir -p hallmark # the agent's own: the next checkout must be able to remove it
                sudo --preserve-env hallmark run \
                    --report junit=hallmark/junit.xml \
                    --report sarif=hallmark/hallmark.sarif \
                    --report html=hallmark/report.html
            """.trimIndent()
        }
    }

    triggers {
        vcs {
            branchFilter = "+:<<.Branch>>"
        }
    }

    features {
        xmlReport {
            reportType = XmlReport.XmlReportType.JUNIT
            rules = "hallmark/junit.xml"
        }
    }

    failureConditions {
        executionTimeoutMin = 60
    }
})
