@echo off
rem Installs Ophtimus Edge from the kit that this file lies in, or updates what is installed.
rem It runs the same Python code as install.sh. UNTESTED: no Windows machine was at hand when it was written.
setlocal EnableExtensions DisableDelayedExpansion
chcp 65001 >nul

set "KIT=%~dp0"
if "%KIT:~-1%"=="\" set "KIT=%KIT:~0,-1%"

set "ROOT=%LOCALAPPDATA%\ophtimus\program"
if defined OPHTIMUS_HOME set "ROOT=%OPHTIMUS_HOME%\program"
set "BEFORE="
for %%W in (%*) do call :word "%%~W"

rem What is installed knows which key to trust: nothing on the stick runs before that key vouches for it.
if exist "%ROOT%\bin\ophtimus.cmd" if exist "%ROOT%\current.txt" (
    call "%ROOT%\bin\ophtimus.cmd" kit update "%KIT%" %*
    exit /b %ERRORLEVEL%
)

set "WHEEL="
for %%F in ("%KIT%\wheels\win_amd64\ophtimus_edge-*.whl") do set "WHEEL=%%~fF"
if not defined WHEEL (
    echo install: this kit has no program for Windows on x64. Ask for a kit for this computer. 1>&2
    exit /b 1
)

rem The kit carries the Python that it runs with. Windows 10 and later can unpack it by themselves.
set "OWN=%ROOT%\.first-%RANDOM%%RANDOM%"
mkdir "%OWN%" || exit /b 1
for %%F in ("%KIT%\runtime\win_amd64.*") do tar -xf "%%~fF" -C "%OWN%"
set "PYTHON="
for %%P in ("%OWN%\python.exe" "%OWN%\python\python.exe") do if exist "%%~P" set "PYTHON=%%~P"
if not defined PYTHON (
    echo install: the kit's Python cannot be unpacked. Copy the whole kit again from its source. 1>&2
    rmdir /s /q "%OWN%"
    exit /b 1
)

"%PYTHON%" -I -B -c "import sys; sys.path.insert(0, sys.argv[1]); from ophtimus_edge.kit.installing.first import main; sys.exit(main(sys.argv[2:]))" "%WHEEL%" "%KIT%" %*
set "CODE=%ERRORLEVEL%"
rmdir /s /q "%OWN%"
exit /b %CODE%

:word
if "%BEFORE%"=="--to" set "ROOT=%~1"
set "BEFORE=%~1"
exit /b 0
